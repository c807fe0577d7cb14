#include "http/streams/output_reader.hpp"

#include <algorithm>
#include <utility>

namespace greenroom::http {

namespace {

/// Records of the index that one step looks at.
constexpr std::size_t records_per_step = 2048;

} // namespace

std::optional<output_choice> parse_choice(std::string_view text) noexcept {
  if (text == "stdout")
    return output_choice::out;
  if (text == "stderr")
    return output_choice::err;
  if (text == "both")
    return output_choice::both;
  if (text == "tty")
    return output_choice::tty;
  return std::nullopt;
}

output_reader::output_reader(std::filesystem::path dir, output_choice what)
  : log_(std::move(dir)), what_(what) {}

bool output_reader::wants(output_stream stream) const noexcept {
  switch (what_) {
    case output_choice::both:
      return true;
    case output_choice::out:
      return stream != output_stream::err;
    case output_choice::err:
      return stream == output_stream::err;
    case output_choice::tty:
      return stream == output_stream::tty;
  }
  return false;
}

/// Makes runs of the next records. False: there are none now.
bool output_reader::load() {
  auto records = log_.records(next_record_, records_per_step);
  next_record_ += records.size();
  for (auto& one : records) {
    ends_[static_cast<std::size_t>(one.stream)] = one.offset + one.length;
    if (one.length == 0 || !wants(one.stream))
      continue;
    if (!runs_.empty() && runs_.back().stream == one.stream
        && runs_.back().offset + runs_.back().length == one.offset)
      runs_.back().length += one.length;
    else
      runs_.push_back({one.stream, one.offset, one.length});
  }
  return !records.empty() || load_unindexed();
}

/// Makes runs of what the files hold behind a damaged index, as far as they are
/// now. False: nothing more, or the index is whole.
bool output_reader::load_unindexed() {
  if (!log_.is_damaged_at(next_record_))
    return false;
  for (std::size_t i = 0; i < output_streams; ++i) {
    auto stream = static_cast<output_stream>(i);
    auto size = log_.size(stream);
    if (size <= ends_[i] || !wants(stream))
      continue;
    runs_.push_back({stream, ends_[i], size - ends_[i]});
    ends_[i] = size;
  }
  return !runs_.empty();
}

std::uint64_t output_reader::wanted_of(
  const std::array<std::uint64_t, output_streams>& bytes) const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < output_streams; ++i)
    if (wants(static_cast<output_stream>(i)))
      sum += bytes[i];
  return sum;
}

/// Passes over as many of the records that are to be skipped as can be without
/// reading them.
void output_reader::jump() {
  std::uint64_t behind = log_.count();
  std::uint64_t passed = 0;
  while (behind - next_record_ > records_per_step) {
    auto middle = next_record_ + (behind - next_record_) / 2;
    auto bytes = log_.bytes_in(middle);
    if (!bytes)
      break;
    if (wanted_of(*bytes) <= to_skip_) {
      next_record_ = middle;
      ends_ = *bytes;
      passed = wanted_of(*bytes);
    } else {
      behind = middle;
    }
  }
  to_skip_ -= passed;
}

bool output_reader::measure() {
  if (next_record_ == 0)
    if (auto all = log_.bytes_in(log_.count())) {
      total_ = wanted_of(*all);
      return false;
    }
  auto more = load();
  for (auto& one : std::exchange(runs_, {}))
    total_ += one.length;
  return more;
}

output_reader::step output_reader::read(std::span<char> out) {
  step result;
  if (next_record_ == 0 && to_skip_ > 0)
    jump();
  if (runs_.empty() && !load())
    return result;
  result.more = true;
  while (!runs_.empty() && result.size < out.size()) {
    auto& next = runs_.front();
    auto passed = std::min(to_skip_, next.length);
    to_skip_ -= passed;
    next.offset += passed;
    next.length -= passed;
    auto wanted = out.subspan(result.size);
    if (wanted.size() > next.length)
      wanted = wanted.first(static_cast<std::size_t>(next.length));
    auto got = log_.read(next.stream, next.offset, wanted);
    result.size += got;
    next.offset += got;
    next.length -= got;
    if (next.length == 0)
      runs_.pop_front();
    else if (got < wanted.size())
      // The index was right about these bytes a moment ago.
      throw std::runtime_error("the output log has lost bytes");
  }
  return result;
}

} // namespace greenroom::http
