/**
 * Guards mappings that are read-only and private against writes by mistake: the page gets a private copy, which the
 * writer then changes, so the process lives on and nobody else sees anything. Found out by a handler of SIGSEGV, since
 * looking for written pages costs more than a copy of them; all other faults go to the handler that was there before.
 */
#pragma once
#include <cstddef>

/** Installs the handler, once. Before the first write can come. */
void StartGuarding();
/** The mapping's owner must call Unguard() before it unmaps. False: no room for one more. */
bool Guard(void* address, size_t bytes);
void Unguard(void* address);
/** Takes back what was written to the guarded mapping, so that it shows the file again. Cheap if nothing was. */
void Restore(void* address);
