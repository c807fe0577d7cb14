// What the sources of this folder share: SOCI, transactions and errors.
//
// Heavy: for .cpp files of this folder only. The SQL in them is what SQLite and
// PostgreSQL have in common; what is a database's own is in connection.cpp and
// postgresql.cpp.
#pragma once

#include "runtime/store/connection.hpp"

// The library knows how to exchange Boost's sequences if Boost is there. It is
// not needed for anything here, and only SOCI's templates depend on it.
#include <soci/soci-config.h>
#undef SOCI_HAVE_BOOST

#include <soci/soci.h>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace greenroom::store {

/// What differs between databases; the rest of this folder is the same code.
struct connection::state {
  soci::session sql;
  bool in_transaction = false;
  std::string name;           // for messages: no secret is in it
  std::string begin;          // the statement that begins a writing transaction
  std::string for_update;     // what a SELECT ends with to hold its row
  std::string now;            // the database's clock, as unix_ms
  std::string migration_lock; // what a migration begins with; may be empty
  bool (*may_pass)(const soci::soci_error&) = nullptr;
  bool (*is_collision)(const soci::soci_error&) = nullptr; // null: never one

  /// Opens the session anew; unset where a connection cannot be lost.
  std::function<void()> open;
  std::chrono::steady_clock::time_point closed_until{}; // after a failed open
};

/// Two transactions stood in each other's way, and the database gave this one
/// up; alone it would have gone through.
class collided : public unavailable {
public:
  using unavailable::unavailable;
};

/// Opens a lost connection anew. Throws store::unavailable where that fails,
/// and for a moment after that without trying.
void heal(connection::state& state);

/// Never true of one that cannot be lost.
bool is_lost(connection::state& state);

/// Throws what `error` means to callers. SOCI's own text would show the
/// statement's values, which may be secret.
[[noreturn]] void throw_store_error(connection::state& state,
                                    const soci::soci_error& error);

template <class F>
auto translated(connection& c, F&& f) {
  try {
    return std::forward<F>(f)();
  } catch (const soci::soci_error& e) {
    throw_store_error(c.self(), e);
  }
}

/// Runs `f`, which only reads, with the session: a second time where the
/// connection turns out to be lost.
template <class F>
auto reading(connection& c, F&& f) {
  return translated(c, [&] {
    auto& state = c.self();
    if (!state.in_transaction) {
      heal(state);
      try {
        return f(state.sql);
      } catch (const soci::soci_error&) {
        if (!is_lost(state))
          throw;
      }
      heal(state);
    }
    return f(state.sql);
  });
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
  return translated(c, [&] {
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

/// Text for columns whose bytes a program of a session may have made: where it
/// is no UTF-8, which not every database takes, with its bytes beyond ASCII
/// replaced.
std::string as_text(std::string text);

/// A statement is sent once and not kept: what SOCI prepares by default costs
/// a server three round trips.
inline constexpr auto once = soci::details::st_one_time_query;

/// Executes a statement whose values are bound; the number of rows that it
/// changed.
inline long long execute_bound(soci::statement& statement,
                               const std::string& text) {
  statement.alloc();
  statement.prepare(text, once);
  statement.define_and_bind();
  statement.execute(true);
  return statement.get_affected_rows();
}

/// Executes a statement and returns how many rows it changed.
template <class... Uses>
long long execute(soci::session& sql, const std::string& text,
                  const Uses&... uses) {
  soci::statement statement{sql};
  (statement.exchange(uses), ...);
  return execute_bound(statement, text);
}

} // namespace greenroom::store
