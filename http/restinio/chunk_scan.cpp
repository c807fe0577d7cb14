#include "http/restinio/chunk_scan.hpp"

#include "http/base/parse.hpp"

#include <algorithm>

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
  switch (at_) {
    case part::size:
      return take_of_size(c);
    case part::extension:
      if (c == '\n')
        size_ends();
      return ++extra_ <= max_extra;
    case part::data_end:
      if (c == '\n') {
        at_ = part::size;
        digits_ = 0;
      }
      return c == '\n' || c == '\r';
    case part::trailer:
      if (c == '\n' && !in_line_)
        at_ = part::over;
      in_line_ = c != '\n' && (in_line_ || c != '\r');
      return ++extra_ <= max_extra;
    case part::data:
    case part::over:
      break;
  }
  return true;
}

bool chunk_scan::take_of_size(char c) noexcept {
  if (auto digit = hex_value(c); digit >= 0) {
    left_ = (left_ << 4) | static_cast<std::uint64_t>(digit);
    return ++digits_ <= max_digits;
  }
  if (digits_ == 0)
    return false;
  if (c == '\n')
    size_ends();
  else if (c == ';' || c == '\r' || c == ' ' || c == '\t')
    at_ = part::extension;
  else
    return false;
  return true;
}

void chunk_scan::size_ends() noexcept {
  extra_ = 0; // a bound for one line's extension, however many chunks there are
  at_ = left_ > 0 ? part::data : part::trailer;
}

} // namespace greenroom::http
