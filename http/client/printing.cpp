#include "http/client/printing.hpp"

#include "http/client/errors.hpp"
#include "http/client/printable.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <cwchar>
#include <optional>
#include <set>

namespace greenroom::http::client {

namespace {

std::string text_of(const json& value) {
  if (value.is_null())
    return "-";
  if (value.is_string())
    return value.get<std::string>().empty() ? "-" : value.get<std::string>();
  if (value.is_array()) {
    std::string all;
    for (auto& one : value)
      all += (all.empty() ? "" : ",") + text_of(one);
    return all.empty() ? "-" : all;
  }
  return value.dump();
}

json picked(const json& one, const std::vector<std::string>& fields) {
  if (fields.empty() || !one.is_object())
    return one;
  json result = json::object();
  for (auto& field : fields)
    result[field] = one.value(field, json{});
  return result;
}

// The places of a terminal that it takes: two for wide characters, none for
// what combines with the one before.
std::size_t width_of(const std::string& text) {
  static const auto utf8 = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  const auto before = ::uselocale(utf8);
  std::mbstate_t state{};
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size();) {
    wchar_t c = 0;
    auto size = std::mbrtowc(&c, &text[at], text.size() - at, &state);
    auto known = size > 0 && size <= text.size() - at;
    if (!known)
      state = {};
    auto places = known ? ::wcwidth(c) : 1;
    width += places > 0 ? static_cast<std::size_t>(places) : 0;
    at += known ? size : 1;
  }
  ::uselocale(before);
  return width;
}

std::vector<std::vector<std::string>>
printable_cells(const std::vector<std::vector<std::string>>& rows) {
  auto result = rows;
  for (auto& row : result)
    for (auto& cell : row)
      cell = printable(cell);
  return result;
}

std::optional<std::chrono::system_clock::time_point>
parse_time(const std::string& text) {
  std::tm parts{};
  const auto* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (end == nullptr || (*end != 'Z' && *end != '.'))
    return std::nullopt;
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

} // namespace

column field_column(const std::string& title, const std::string& field) {
  return {title, [field](const json& one) {
            auto found = one.find(field);
            return found == one.end() ? std::string{"-"} : text_of(*found);
          }};
}

column age_column(const std::string& title, const std::string& field) {
  return {title, [field](const json& one) {
            auto found = one.find(field);
            if (found == one.end() || !found->is_string())
              return std::string{"-"};
            return age(found->get<std::string>(),
                       std::chrono::system_clock::now());
          }};
}

column past_column(const std::string& title, const std::string& field) {
  return {title, [all = age_column(title, field).text](const json& one) {
            auto text = all(one);
            // Our clock is behind the server's.
            return text.starts_with("in ") ? std::string{"0s"} : text;
          }};
}

column key_column(const std::string& title, const std::string& field) {
  return {title,
          [id = field_column(title, field).text,
           name = field_column(title, field + "_name").text](const json& one) {
            auto text = name(one);
            return text == "-" ? id(one) : text;
          }};
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  return table(rows, widths);
}

std::string table(const std::vector<std::vector<std::string>>& raw,
                  std::vector<std::size_t>& widths) {
  const auto rows = printable_cells(raw);
  for (auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i == widths.size())
        widths.push_back(0);
      widths[i] = std::max(widths[i], width_of(row[i]));
    }
  std::string result;
  for (auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size())
        line.append(widths[i] - width_of(row[i]) + 2, ' ');
    }
    result += line + '\n';
  }
  return result;
}

std::string shown(const json& what, const std::vector<column>& columns,
                  const printing& how) {
  json one_row = json::array({what});
  auto& list = what.is_array() ? what : one_row;
  if (how.format == output_format::as_json) {
    json all = json::array();
    for (auto& one : list)
      all.push_back(picked(one, how.fields));
    return (what.is_array() ? all : all[0]).dump(2) + "\n";
  }
  std::string names;
  std::vector<std::vector<std::string>> rows;
  if (how.headings) {
    auto& titles = rows.emplace_back();
    for (auto& one : columns)
      titles.push_back(one.title);
  }
  for (auto& one : list) {
    names += text_of(one.value(how.name_field, json{})) + '\n';
    auto& row = rows.emplace_back();
    for (auto& cell : columns)
      row.push_back(cell.text(one));
  }
  return how.format == output_format::as_names ? names : table(rows);
}

std::string unknown_fields(const json& what,
                           const std::vector<std::string>& fields) {
  std::set<std::string> known;
  json one_row = json::array({what});
  for (auto& one : what.is_array() ? what : one_row)
    for (auto& [name, value] : one.items())
      known.insert(name);
  if (known.empty())
    return {};
  std::string unknown;
  for (auto& field : fields)
    if (!known.contains(field))
      unknown += (unknown.empty() ? "\"" : ", \"") + field + '"';
  if (unknown.empty())
    return {};
  std::string list;
  for (auto& name : known)
    list += (list.empty() ? "" : ", ") + name;
  return "there is no field " + unknown + " here, but " + list;
}

std::string age(const std::string& time,
                std::chrono::system_clock::time_point now) {
  auto at = parse_time(time);
  if (!at)
    return time;
  auto seconds =
    std::chrono::duration_cast<std::chrono::seconds>(now - *at).count();
  auto ahead = seconds < 0;
  seconds = std::abs(seconds);
  // What is 24h when it is set is not to be 23h at once.
  auto in_units = [&](long long unit) {
    return std::to_string((seconds + (ahead ? unit / 2 : 0)) / unit);
  };
  std::string text;
  if (seconds < 120)
    text = in_units(1) + "s";
  else if (seconds < 120 * 60)
    text = in_units(60) + "m";
  else if (seconds < 48 * 3600)
    text = in_units(3600) + "h";
  else
    text = in_units(86400) + "d";
  return ahead ? "in " + text : text;
}

bool may_colour() {
  const auto* off = std::getenv("NO_COLOR");
  return ::isatty(STDERR_FILENO) == 1 && (off == nullptr || *off == '\0');
}

void say(const std::string& line) {
  std::fprintf(stderr, "%s\n", printable(line, "\n\t\r").c_str());
}

void say_if_read(const std::string& line) {
  pollfd ready{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&ready, 1, 0) > 0 && (ready.revents & POLLOUT) != 0)
    say(line);
}

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    auto wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(wrote));
      continue;
    }
    if (errno == EPIPE)
      throw unread_output();
    pollfd ready{fd, POLLOUT, 0};
    if (errno == EAGAIN && ::poll(&ready, 1, -1) > 0)
      continue;
    if (errno != EINTR)
      throw command_failed(exit_code::failed,
                           std::string{"the output cannot be written: "}
                             + std::strerror(errno));
  }
}

void print(std::string_view text) {
  write_all(STDOUT_FILENO, text);
}

} // namespace greenroom::http::client
