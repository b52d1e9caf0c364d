// SQLite, with SQLITE_TRANSIENT as a value: the macro is a cast that cannot be imported.
#pragma once
#include <sqlite3.h>

// Tells sqlite3_bind_* to copy the bytes before it returns.
static inline sqlite3_destructor_type _Nonnull sqlite_transient(void) {
  return (sqlite3_destructor_type)-1;
}
