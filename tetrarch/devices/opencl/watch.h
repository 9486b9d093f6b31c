// For tests: an OpenCL loader that counts some calls and makes them fail on demand. The plug-in opens it in
// the place of the system's when TETRARCH_OPENCL_LOADER names it; calls that are not watched go straight to
// that.
//
// In another process, TETRARCH_OPENCL_CALLS names a file that gets one line "name count" for each watched
// call when the process ends.
#pragma once

#include <CL/cl.h>

#ifdef __cplusplus
extern "C" {
#endif

// Calls so far of "clFinish" and so on; -1 for a name that is not watched.
int tetrarch_opencl_calls(const char* name);
// The call after the next `good` ones gives `code`, once. 0 as the code: none fails.
void tetrarch_opencl_fail(const char* name, int good, cl_int code);

#ifdef __cplusplus
}
#endif
