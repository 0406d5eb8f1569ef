/** What clocks say that JavaScript cannot ask. */
#pragma once
#include <napi.h>

Napi::Value WallFraction(const Napi::CallbackInfo& info);
