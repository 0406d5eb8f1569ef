#include "file-cache.h"
#include <fcntl.h>
#include "error.h"

void DropBehind(const Napi::CallbackInfo& info) {
  const int fd = DescriptorArgument(info, 0);
  const double bytes = IntegerArgument(info, 1, "bytes", 0, kMaxSafeInteger);
  // A length of 0 would mean all of it.
  if (bytes == 0) return;
  const int error = posix_fadvise(fd, 0, static_cast<off_t>(bytes), POSIX_FADV_DONTNEED);
  if (error == EBADF) throw SystemError(info.Env(), error, "posix_fadvise");
}
