// What the sources of this folder share: SOCI, transactions and errors.
//
// Heavy: for .cpp files of this folder only. The SQL in them is what SQLite and
// PostgreSQL have in common; what is SQLite's own is in connection.cpp.
#pragma once

#include "runtime/store/connection.hpp"

// The library knows how to exchange Boost's sequences if Boost is there. It is
// not needed for anything here, and only SOCI's templates depend on it.
#include <soci/soci-config.h>
#undef SOCI_HAVE_BOOST

#include <soci/soci.h>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace greenroom::store {

struct connection::state {
  soci::session sql;
  bool in_transaction = false;
  std::string name;  // for messages
  std::string begin; // the statement that begins a writing transaction
};

/// Throws what `error` means to callers. SOCI's own text would show the
/// statement's values, which may be secret.
[[noreturn]] void throw_store_error(const soci::soci_error& error);

template <class F>
auto translated(F&& f) {
  try {
    return std::forward<F>(f)();
  } catch (const soci::soci_error& e) {
    throw_store_error(e);
  }
}

/// Rolled back unless committed. Inside another one it is a part of that and
/// does nothing of its own.
class transaction {
public:
  explicit transaction(connection& c);
  transaction(const transaction&) = delete;
  transaction& operator=(const transaction&) = delete;
  ~transaction();

  void commit();

private:
  connection::state& state_;
  bool owns_;
};

/// Runs `f` with the session in a transaction.
template <class F>
auto in_transaction(connection& c, F&& f) {
  return translated([&] {
    transaction t{c};
    if constexpr (std::is_void_v<std::invoke_result_t<F, soci::session&>>) {
      f(c.self().sql);
      t.commit();
    } else {
      auto result = f(c.self().sql);
      t.commit();
      return result;
    }
  });
}

/// Refuses text that not every database keeps whole.
void check_text(const char* field, std::string_view text);

/// Executes a statement and returns how many rows it changed.
template <class... Uses>
long long execute(soci::session& sql, const std::string& text,
                  const Uses&... uses) {
  soci::statement statement{sql};
  (statement.exchange(uses), ...);
  statement.alloc();
  statement.prepare(text);
  statement.define_and_bind();
  statement.execute(true);
  return statement.get_affected_rows();
}

} // namespace greenroom::store
