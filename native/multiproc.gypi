# How the addon is compiled: binding.gyp includes this. Commands run beside binding.gyp, plain paths start here.
{
  'variables': { 'os%': '<(OS)' },
  'target_defaults': {
    'default_configuration': 'Release',
    'configurations': {
      'Debug': { 'defines': ['MP_DEBUG=1'], 'cflags': ['-O0', '-g'] },
      'Release': { 'defines': ['NDEBUG'], 'cflags': ['-O3'] },
    },
  },
  'targets': [{
    'target_name': 'multiproc',
    'sources': [
      '<!@(node -p "require(\'fs\').readdirSync(\'native/core\').filter(f=>f.endsWith(\'.cc\')).map(f=>\'native/core/\'+f).join(\' \')")',
      '<!@(node -p "require(\'fs\').readdirSync(\'native/node\').filter(f=>f.endsWith(\'.cc\')).map(f=>\'native/node/\'+f).join(\' \')")',
    ],
    'include_dirs': ['.', '<!(node -p "require(\'node-addon-api\').include_dir")'],
    'defines': ['NAPI_VERSION=9', 'NAPI_DISABLE_CPP_EXCEPTIONS=1', 'NODE_ADDON_API_DISABLE_DEPRECATED', 'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'],
    'cflags_cc': ['-std=c++20', '-Wall', '-Wextra', '-Wno-missing-field-initializers', '-fno-exceptions', '-fno-rtti', '-fno-strict-aliasing', '-fvisibility=hidden', '-fno-plt'],
    'cflags_cc!': ['-std=gnu++17'],
    'conditions': [
      ['OS=="linux"', {
        'sources': ['<!@(node -p "require(\'fs\').readdirSync(\'native/platform/linux\').map(f=>\'native/platform/linux/\'+f).filter(f=>f.endsWith(\'.cc\')).join(\' \')")'],
        'ldflags': ['-static-libstdc++', '-static-libgcc', '-Wl,--exclude-libs,ALL', '-Wl,-z,now'],
      }],
      ['OS=="mac"', {
        'sources': ['<!@(node -p "require(\'fs\').readdirSync(\'native/platform/darwin\').map(f=>\'native/platform/darwin/\'+f).filter(f=>f.endsWith(\'.cc\')).join(\' \')")'],
        'xcode_settings': { 'CLANG_CXX_LANGUAGE_STANDARD': 'c++20', 'MACOSX_DEPLOYMENT_TARGET': '11.0', 'GCC_ENABLE_CPP_EXCEPTIONS': 'NO' },
      }],
      ['OS=="win"', {
        'sources': ['<!@(node -p "require(\'fs\').readdirSync(\'native/platform/win32\').map(f=>\'native/platform/win32/\'+f).filter(f=>f.endsWith(\'.cc\')).join(\' \')")'],
        'msvs_settings': { 'VCCLCompilerTool': { 'AdditionalOptions': ['/std:c++20'] } },
      }],
    ],
  }],
}
