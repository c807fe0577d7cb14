#include "runtime/store/batch.hpp"

#include "runtime/store/sql.hpp"

#include <algorithm>

namespace greenroom::store {

namespace {

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
    } catch (const soci::soci_error&) {
      // The database gave up the whole transaction, and with it the batch.
      std::rethrow_exception(error);
    }
  }
  sql << "RELEASE SAVEPOINT one";
  return error;
}

} // namespace

std::vector<std::exception_ptr>
run_batch(connection& c, std::span<const operation> operations) {
  std::vector<std::exception_ptr> results(operations.size());
  if (operations.empty())
    return results;
  try {
    in_transaction(c, [&](soci::session& sql) {
      for (std::size_t i = 0; i < operations.size(); ++i)
        results[i] = run_one(c, sql, operations[i]);
    });
  } catch (...) {
    std::ranges::fill(results, std::current_exception());
  }
  return results;
}

} // namespace greenroom::store
