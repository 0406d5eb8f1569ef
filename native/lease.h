/**
 * Leases: exclusive OFD locks on single bytes of a file. A lock belongs to the open file description; the kernel
 * drops it when the last descriptor of that closes: at the owner's death at the latest, and not before. A directory,
 * which nobody can open for writing, is locked as a whole (flock), by the same rule.
 */
#pragma once
#include <napi.h>

Napi::Value TryLockByte(const Napi::CallbackInfo& info);
void UnlockByte(const Napi::CallbackInfo& info);
Napi::Value IsByteLocked(const Napi::CallbackInfo& info);
Napi::Value TryLockDirectory(const Napi::CallbackInfo& info);
