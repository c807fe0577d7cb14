#include "runtime/store/batch.hpp"

#include "runtime/store/sql.hpp"

#include <algorithm>

namespace greenroom::store {

namespace {

// What an operation has refused is its own answer, and no other's of a batch.
bool is_refusal(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const unavailable&) {
    return false;
  } catch (const uncertain&) {
    return false;
  } catch (const refused&) {
    return true;
  } catch (...) {
    return false;
  }
}

std::exception_ptr run_one(connection& c, soci::session& sql,
                           const operation& run) {
  std::exception_ptr error;
  sql << "SAVEPOINT one";
  try {
    run(c);
  } catch (...) {
    error = std::current_exception();
    try {
      sql << "ROLLBACK TO SAVEPOINT one";
    } catch (const soci::soci_error& e) {
      // The database gave up the whole transaction, and with it the batch.
      if (is_refusal(error))
        throw unavailable(e.get_error_message());
      std::rethrow_exception(error);
    }
  }
  sql << "RELEASE SAVEPOINT one";
  return error;
}

using results = std::vector<std::exception_ptr>;

bool has_collided(const std::exception_ptr& error) {
  try {
    if (error)
      std::rethrow_exception(error);
  } catch (const collided&) {
    return true;
  } catch (...) {
  }
  return false;
}

// Each in a transaction of its own, where it holds nothing for another's sake.
void run_apart(connection& c, std::span<const operation> operations,
               results& outcome) {
  constexpr int attempts = 3;
  for (std::size_t i = 0; i < operations.size(); ++i)
    for (int attempt = 0; attempt < attempts; ++attempt) {
      outcome[i] = nullptr;
      try {
        in_transaction(c, [&](soci::session&) { operations[i](c); });
      } catch (...) {
        outcome[i] = std::current_exception();
      }
      if (!has_collided(outcome[i]))
        break;
    }
}

void run_together(connection& c, std::span<const operation> operations,
                  results& outcome) {
  in_transaction(c, [&](soci::session& sql) {
    for (std::size_t i = 0; i < operations.size(); ++i) {
      outcome[i] = run_one(c, sql, operations[i]);
      if (has_collided(outcome[i]))
        std::rethrow_exception(outcome[i]);
    }
  });
}

} // namespace

std::vector<std::exception_ptr>
run_batch(connection& c, std::span<const operation> operations) {
  results outcome(operations.size());
  if (operations.empty())
    return outcome;
  if (operations.size() == 1) { // needs no savepoint
    run_apart(c, operations, outcome);
    return outcome;
  }
  try {
    run_together(c, operations, outcome);
  } catch (const collided&) {
    run_apart(c, operations, outcome);
  } catch (...) {
    std::ranges::fill(outcome, std::current_exception());
  }
  return outcome;
}

} // namespace greenroom::store
