"""The HTTP server that lives in the kernel: routes, guard, streams, and the thread they run on."""
