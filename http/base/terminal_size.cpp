#include "http/base/terminal_size.hpp"

#include "http/base/json_body.hpp"
#include "messages/errors.hpp"

namespace greenroom::http {

greenroom::resize_exec read_size(object_reader& fields) {
  constexpr std::int64_t most = 1000;
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

} // namespace greenroom::http
