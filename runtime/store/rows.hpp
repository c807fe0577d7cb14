// Rows as structs: statements made from a struct's columns. For sources of this
// folder.
//
// A row is a struct whose fields have the types that SOCI exchanges, with a
// function `each_column(row, f)` that calls `f(name, field)` for each column:
// the one list of them all.
#pragma once

#include "runtime/store/sql.hpp"

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace greenroom::store {

/// The columns of a row, each with `before` in front: "id, project_id, …".
template <class Row>
std::string columns_of(std::string_view before = {}) {
  std::string result;
  Row row;
  each_column(row, [&](const char* name, auto&) {
    result.append(result.empty() ? "" : ", ").append(before).append(name);
  });
  return result;
}

/// Refuses texts with NUL, and makes the others UTF-8.
template <class Row>
void check_texts(Row& row) {
  each_column(row, [](const char* name, auto& field) {
    if constexpr (std::is_convertible_v<decltype(field), std::string_view>) {
      check_text(name, field);
      field = as_text(std::move(field));
    }
  });
}

/// The row's fields as values of a statement that names them `:column`.
template <class Row>
void use_row(soci::statement& statement, Row& row) {
  each_column(row, [&](const char* name, auto& field) {
    statement.exchange(soci::use(field, name));
  });
}

template <class Row>
void insert_row(soci::session& sql, const std::string& table, Row& row,
                const std::string& on_conflict = {}) {
  soci::statement statement{sql};
  use_row(statement, row);
  execute_bound(statement, "INSERT INTO " + table + " (" + columns_of<Row>()
                             + ") VALUES (" + columns_of<Row>(":") + ")"
                             + on_conflict);
}

/// Calls `f(row)` for the rows of a statement that returns columns_of<Row>(),
/// until it says false. `bind(statement)` adds the statement's values.
template <class Row, class Bind, class F>
void each_row(soci::session& sql, const std::string& text, Bind&& bind, F&& f) {
  Row row;
  soci::statement statement{sql};
  each_column(row, [&](const char*, auto& field) {
    statement.exchange(soci::into(field));
  });
  bind(statement);
  statement.alloc();
  statement.prepare(text, once);
  statement.define_and_bind();
  statement.execute();
  while (statement.fetch())
    if (!f(row))
      return;
}

/// The rows of such a statement, with its values.
template <class Row, class... Uses>
std::vector<Row> fetch_rows(soci::session& sql, const std::string& text,
                            const Uses&... uses) {
  std::vector<Row> result;
  each_row<Row>(
    sql, text,
    [&](soci::statement& statement) { (statement.exchange(uses), ...); },
    [&](const Row& row) {
      result.push_back(row);
      return true;
    });
  return result;
}

} // namespace greenroom::store
