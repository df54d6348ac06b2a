# One line, because the published package has no file of this name: npm compiles any package that has one, even with
# "gypfile": false (that field is missing from what registries answer). native/build.mjs writes it where it is wanted.
{ 'includes': ['native/multiproc.gypi'] }
