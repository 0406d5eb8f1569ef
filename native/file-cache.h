/** The kernel's copies of files in memory. */
#pragma once
#include <napi.h>

void DropBehind(const Napi::CallbackInfo& info);
