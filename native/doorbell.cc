#include "doorbell.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>
#include <memory>
#include "error.h"

namespace {

/**
 * One watched FIFO, on its environment's thread. `self_` keeps it until libuv has let go of the handle; the functions
 * given to JavaScript may keep it longer. Close() drops what it holds of JavaScript while the environment lives. The
 * descriptor, its own, closes last, so its number is not reused while it is still polled.
 */
class Watch {
 public:
  Watch(Napi::Env env, int fd, const Napi::Value& onRing)
      : env_(env), fd_(fd), onRing_(Napi::Persistent(onRing.As<Napi::Function>())) {}

  static std::shared_ptr<Watch> Start(Napi::Env env, int given, const Napi::Value& onRing) {
    const int fd = fcntl(given, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) throw SystemError(env, errno, "fcntl");
    const auto watch = std::make_shared<Watch>(env, fd, onRing);
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(env, &loop);
    const int error = uv_poll_init(loop, &watch->poll_, fd);
    if (error != 0) {
      close(fd);
      throw SystemError(env, -error, "uv_poll_init");
    }
    watch->self_ = watch;
    watch->poll_.data = watch.get();
    const auto onTeardown = [](napi_async_cleanup_hook_handle, void* data) { static_cast<Watch*>(data)->Close(); };
    napi_add_async_cleanup_hook(env, onTeardown, watch.get(), &watch->hook_);
    watch->Unref();
    uv_poll_start(&watch->poll_, UV_READABLE,
                  [](uv_poll_t* poll, int status, int) { static_cast<Watch*>(poll->data)->OnReadable(status); });
    return watch;
  }

  void Ref() { uv_ref(Handle()); }
  void Unref() { uv_unref(Handle()); }

  void Close() {
    if (uv_is_closing(Handle())) return;
    onRing_.Reset();
    uv_close(Handle(), [](uv_handle_t* handle) { static_cast<Watch*>(handle->data)->OnClosed(); });
  }

 private:
  uv_handle_t* Handle() { return reinterpret_cast<uv_handle_t*>(&poll_); }

  void OnReadable(int error) {
    if (error < 0) return Close();  // someone else closed our descriptor
    // Bounded: a pipe holds 64 KiB, and for what a busy ringer adds meanwhile the loop calls again.
    char bytes[4096];
    for (int reads = 0; reads < 16 && read(fd_, bytes, sizeof bytes) == sizeof bytes; reads++) continue;
    const Napi::HandleScope scope(env_);
    napi_value exception;
    // MakeCallback runs the microtasks and ticks that onRing leaves. onRing may close this watch.
    const napi_status status = napi_make_callback(env_, nullptr, env_.Global(), onRing_.Value(), 0, nullptr, nullptr);
    if (status == napi_pending_exception && napi_get_and_clear_last_exception(env_, &exception) == napi_ok) {
      napi_fatal_exception(env_, exception);
    }
  }

  void OnClosed() {
    close(fd_);
    napi_remove_async_cleanup_hook(hook_);
    self_.reset();  // may delete this
  }

  const Napi::Env env_;
  const int fd_;
  Napi::FunctionReference onRing_;
  uv_poll_t poll_{};
  napi_async_cleanup_hook_handle hook_ = nullptr;
  std::shared_ptr<Watch> self_;
};

}  // namespace

void MakeFifo(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = PathArgument(info, 0, "path");
  const mode_t mode = ModeArgument(info, 1);
  if (mkfifo(path.c_str(), mode) != 0 && errno != EEXIST) throw SystemError(env, errno, "mkfifo");

  // The umask narrowed the mode, or a maker died before it widened it. O_PATH pins the very file that is checked: one
  // that another user has put there could tell when we are rung, and keep the rings.
  const int fd = open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
  struct stat file{};
  if (fd < 0 || fstat(fd, &file) != 0) throw SystemError(env, errno, "open");
  const bool isFifo = S_ISFIFO(file.st_mode);
  const bool isOurs = isFifo && file.st_uid == geteuid();
  const bool isRight = (file.st_mode & 07777) == mode;
  const std::string pinned = "/proc/self/fd/" + std::to_string(fd);
  const int error = !isOurs ? EEXIST : isRight || chmod(pinned.c_str(), mode) == 0 ? 0 : errno;
  close(fd);
  if (error != 0) throw SystemError(env, error, isOurs ? "chmod" : "mkfifo");
}

Napi::Value WatchDoorbell(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int fd = DescriptorArgument(info, 0);
  if (!info[1].IsFunction()) throw TypeMismatch(info, 1, "onRing", "a function");
  // Without O_RDWR an end of file would ring for ever; without O_NONBLOCK a drain would sleep.
  struct stat file;
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fstat(fd, &file) != 0) throw SystemError(env, errno, "fcntl");
  if (!S_ISFIFO(file.st_mode) || (flags & O_ACCMODE) != O_RDWR || (flags & O_NONBLOCK) == 0) {
    throw Napi::TypeError::New(env, "fd: expected a FIFO opened O_RDWR | O_NONBLOCK, got another kind of descriptor");
  }
  const std::shared_ptr<Watch> watch = Watch::Start(env, fd, info[1]);
  Napi::Object doorbell = Napi::Object::New(env);
  doorbell.Set("ref", Napi::Function::New(env, [watch](const Napi::CallbackInfo&) { watch->Ref(); }, "ref"));
  doorbell.Set("unref", Napi::Function::New(env, [watch](const Napi::CallbackInfo&) { watch->Unref(); }, "unref"));
  doorbell.Set("close", Napi::Function::New(env, [watch](const Napi::CallbackInfo&) { watch->Close(); }, "close"));
  return doorbell;
}

Napi::Value RingDoorbell(const Napi::CallbackInfo& info) {
  const char byte = 1;
  if (write(DescriptorArgument(info, 0), &byte, 1) == 1) return Napi::Boolean::New(info.Env(), true);
  switch (errno) {
    case EAGAIN: return Napi::Boolean::New(info.Env(), true);  // full: it rings already
    case EPIPE:
    case ENXIO: return Napi::Boolean::New(info.Env(), false);
    default: throw SystemError(info.Env(), errno, "write");
  }
}
