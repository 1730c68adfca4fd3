// These tests fork while an engine's worker thread may still be ending, and the children start threads of their own.
// ThreadSanitizer ends such a child unless it is told otherwise.
#if defined(__SANITIZE_THREAD__)
extern "C" const char* __tsan_default_options() { return "die_after_fork=0"; }
#endif
