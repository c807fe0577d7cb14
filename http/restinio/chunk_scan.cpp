#include "http/restinio/chunk_scan.hpp"

#include "http/base/parse.hpp"
#include "http/restinio/characters.hpp"

#include <algorithm>
#include <utility>

namespace greenroom::http {

std::optional<std::size_t> chunk_scan::add(std::string_view bytes) noexcept {
  const auto all = bytes.size();
  while (!bytes.empty() && at_ != part::over) {
    if (at_ == part::data) {
      auto taken = std::min<std::uint64_t>(left_, bytes.size());
      bytes.remove_prefix(static_cast<std::size_t>(taken));
      left_ -= taken;
      if (left_ == 0)
        at_ = part::data_end;
      continue;
    }
    if (!take(bytes.front()))
      return std::nullopt;
    bytes.remove_prefix(1);
  }
  return all - bytes.size();
}

bool chunk_scan::take(char c) noexcept {
  if (std::exchange(after_cr_, c == '\r')) {
    if (c == '\n')
      line_ends();
    return c == '\n';
  }
  if (c == '\r') // ends a size, an extension, data, or a line of the trailer
    return (at_ != part::size || digits_ > 0)
           && (at_ != part::trailer_name || !in_line_);
  switch (at_) {
    case part::size:
      return take_of_size(c);
    case part::extension:
      return c != '\n' && ++extra_ <= max_extra;
    case part::trailer_name:
    case part::trailer_value:
      return take_of_trailer(c);
    case part::data_end:
    case part::data:
    case part::over:
      break;
  }
  return false;
}

bool chunk_scan::take_of_size(char c) noexcept {
  if (auto digit = hex_value(c); digit >= 0) {
    left_ = (left_ << 4) | static_cast<std::uint64_t>(digit);
    return ++digits_ <= max_digits;
  }
  at_ = part::extension;
  return digits_ > 0 && (c == ';' || c == ' ');
}

bool chunk_scan::take_of_trailer(char c) noexcept {
  if (at_ == part::trailer_name && c == ':' && in_line_)
    at_ = part::trailer_value;
  else if (at_ == part::trailer_name ? !is_token_character(c) : is_control(c))
    return false;
  in_line_ = true;
  return ++extra_ <= max_extra;
}

void chunk_scan::line_ends() noexcept {
  switch (at_) {
    case part::data_end:
      at_ = part::size;
      digits_ = 0;
      left_ = 0;
      break;
    case part::size:
    case part::extension:
      extra_ = 0; // a bound for one line, however many chunks there are
      at_ = left_ > 0 ? part::data : part::trailer_name;
      break;
    case part::trailer_name:
      at_ = part::over;
      break;
    case part::trailer_value:
      at_ = part::trailer_name;
      in_line_ = false;
      break;
    case part::data:
    case part::over:
      break;
  }
}

} // namespace greenroom::http
