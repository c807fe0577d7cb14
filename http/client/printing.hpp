// How results are shown: a table for people, JSON or names for programs.
//
// Results go to standard output and talk to standard error. Nothing is cut.
#pragma once

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::http::client {

using json = nlohmann::json;

struct column {
  std::string title;
  std::function<std::string(const json&)> text;
};

enum class output_format { as_table, as_json, as_names };

struct printing {
  output_format format = output_format::as_table;
  std::vector<std::string> fields; // of JSON; empty: all
  std::string name_field = "id";
  bool headings = true;
};

/// The column that shows a field; one that is missing or null is "-".
column field_column(const std::string& title, const std::string& field);
/// The field is a time: how long ago, or ahead.
column age_column(const std::string& title, const std::string& field);
/// The same of a time that is never ahead, but for clocks that differ.
column past_column(const std::string& title, const std::string& field);
/// The field is the id of a key, or of who else has done it: the name that goes
/// with it, where there is one.
column key_column(const std::string& title, const std::string& field);

/// Rows of cells below each other, two blanks apart.
std::string table(const std::vector<std::vector<std::string>>& rows);

/// The same for rows that go on a table: columns are at least as wide as
/// `widths`, which are then those of all rows so far.
std::string table(const std::vector<std::vector<std::string>>& rows,
                  std::vector<std::size_t>& widths);

/// A list of objects, or one object, as `how` says, with its last newline.
std::string shown(const json& what, const std::vector<column>& columns,
                  const printing& how);

/// Which of `fields` no object of `what` has, in one sentence; empty where each
/// is there, or there is no object to tell.
std::string unknown_fields(const json& what,
                           const std::vector<std::string>& fields);

/// How long ago, or ahead, a time of the API is: "3m", "in 23h"; as it is where
/// it is no time.
std::string age(const std::string& time,
                std::chrono::system_clock::time_point now);

/// Whether talk may have colours: standard error is a terminal, and NO_COLOR
/// is not set.
bool may_colour();

/// A line for people on standard error.
void say(const std::string& line);

/// The same where standard error takes it at once, else nothing: for who has
/// been told to end, and may not wait until somebody reads.
void say_if_read(const std::string& line);

/// All of it, waiting where the descriptor takes no more now: others may have
/// made it non-blocking. Throws unread_output where nobody reads any more, and
/// command_failed where it cannot be written otherwise.
void write_all(int fd, std::string_view bytes);

/// All of it on standard output.
void print(std::string_view text);

} // namespace greenroom::http::client
