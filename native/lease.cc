#include "lease.h"
#include <fcntl.h>
#include <sys/file.h>
#include "error.h"

/** Runs a lock command on arguments (fd, byte). @returns the lock type that the kernel leaves, -1: another's byte */
static short LockCommand(const Napi::CallbackInfo& info, int command, short type) {
  struct flock range{};  // l_pid stays 0, as OFD locks demand
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = static_cast<off_t>(IntegerArgument(info, 1, "byte", 0, kMaxSafeInteger));
  range.l_len = 1;
  if (fcntl(DescriptorArgument(info, 0), command, &range) == 0) return range.l_type;
  if (errno == EAGAIN || errno == EACCES) return -1;
  throw SystemError(info.Env(), errno, "fcntl");
}

Napi::Value TryLockByte(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), LockCommand(info, F_OFD_SETLK, F_WRLCK) == F_WRLCK);
}

void UnlockByte(const Napi::CallbackInfo& info) { LockCommand(info, F_OFD_SETLK, F_UNLCK); }

Napi::Value IsByteLocked(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), LockCommand(info, F_OFD_GETLK, F_WRLCK) != F_UNLCK);
}

Napi::Value TryLockDirectory(const Napi::CallbackInfo& info) {
  if (flock(DescriptorArgument(info, 0), LOCK_EX | LOCK_NB) == 0) return Napi::Boolean::New(info.Env(), true);
  if (errno == EWOULDBLOCK) return Napi::Boolean::New(info.Env(), false);
  throw SystemError(info.Env(), errno, "flock");
}
