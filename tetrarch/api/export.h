// Marks what the shared library libtetrarch offers to programs.
#pragma once

#define TETRARCH_EXPORT __attribute__((visibility("default")))
