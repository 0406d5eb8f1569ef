{
  'targets': [
    {
      'target_name': 'shm_kvs',
      'sources': [
        'native/addon.cc',
        'native/array-buffer.cc',
        'native/buffer-pool.cc',
        'native/clock.cc',
        'native/copy.cc',
        'native/cpu.cc',
        'native/crc32c.cc',
        'native/doorbell.cc',
        'native/error.cc',
        'native/file-cache.cc',
        'native/futex.cc',
        'native/guard.cc',
        'native/lease.cc',
        'native/pages.cc',
        'native/segment.cc',
        'native/view.cc',
      ],
      'include_dirs': ["<!(node -p \"require('node-addon-api').include_dir\")"],
      # Without the last, an exception thrown in a worker thread that is being terminated ends the process.
      'defines': ['NAPI_VERSION=8', 'NAPI_CPP_EXCEPTIONS', 'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'],
      # The C++ standard is left to the Node headers: C++17 for Node 20, C++20 from 24 on.
      'cflags_cc!': ['-fno-exceptions', '-O3'],
      'cflags_cc': ['-O2', '-Wall', '-Wextra', '-fexceptions', '-fvisibility=hidden'],
      # nodelete: a worker's teardown unloads its addons while a buffer's deleter may still be due on another thread.
      'ldflags': ['-Wl,-z,nodelete'],
    },
  ],
}
