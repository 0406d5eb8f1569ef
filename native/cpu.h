/** On which CPU the calling thread runs, and when. */
#pragma once
#include <napi.h>

/** Lets another thread run that wants this CPU, if there is one. */
void YieldCpu(const Napi::CallbackInfo& info);
Napi::Value LeaveCpu(const Napi::CallbackInfo& info);
