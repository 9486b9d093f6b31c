/* Plug-ins that are wrong in one way each, chosen by a macro. */
#include "tetrarch/abi/device.h"

#if defined(LACKS_SYMBOL)
int tetrarch_not_a_plugin;
#elif defined(SAYS_NO)
const tet_plugin* tetrarch_plugin(void) { return NULL; }
#elif defined(WRONG_SIZE)
static const tet_plugin kTable = {.struct_size = 24, .abi_major = TET_ABI_MAJOR, .name = "wrong_size"};
const tet_plugin* tetrarch_plugin(void) { return &kTable; }
#elif defined(WRONG_VERSION)
static const tet_plugin kTable = {
    .struct_size = sizeof(tet_plugin), .abi_major = 77, .name = "wrong_version"};
const tet_plugin* tetrarch_plugin(void) { return &kTable; }
#elif defined(LACKS_ENTRY)
static const tet_plugin kTable = {
    .struct_size = sizeof(tet_plugin), .abi_major = TET_ABI_MAJOR, .name = "lacks_entry"};
const tet_plugin* tetrarch_plugin(void) { return &kTable; }
#endif
