#include "http/base/terminal_size.hpp"

#include "http/base/json_body.hpp"
#include "messages/errors.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace greenroom::http {

namespace {

constexpr std::int64_t most = 10'000;

} // namespace

greenroom::resize_exec read_size(object_reader& fields) {
  auto read = [&](std::string_view name) {
    auto cells = fields.whole_number(name, 1, most);
    if (!cells)
      throw refused(errc::bad_request, "rows and cols are required");
    return static_cast<std::uint16_t>(*cells);
  };
  greenroom::resize_exec result;
  result.rows = read("rows");
  result.cols = read("cols");
  return result;
}

std::optional<greenroom::resize_exec> any_size(const nlohmann::json& message) {
  auto read = [&](const char* name) -> std::uint16_t {
    auto found = message.find(name);
    if (found == message.end() || !found->is_number())
      return 0;
    auto cells = found->get<double>();
    return cells >= 1 ? static_cast<std::uint16_t>(
             std::min(cells, static_cast<double>(most)))
                      : 0;
  };
  greenroom::resize_exec result;
  result.rows = read("rows");
  result.cols = read("cols");
  if (result.rows == 0 || result.cols == 0)
    return std::nullopt;
  return result;
}

} // namespace greenroom::http
