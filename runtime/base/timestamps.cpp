#include "runtime/base/timestamps.hpp"

#include <algorithm>
#include <chrono>

namespace greenroom {

namespace {

using std::chrono::day;
using std::chrono::days;
using std::chrono::milliseconds;
using std::chrono::month;
using std::chrono::sys_days;
using std::chrono::year;
using std::chrono::year_month_day;

constexpr unix_ms ms_per_minute = 60'000;
constexpr unix_ms ms_per_day = 24 * 60 * ms_per_minute;

constexpr unix_ms start_of(int y) {
  return sys_days{year{y} / 1 / 1}.time_since_epoch().count() * ms_per_day;
}

constexpr unix_ms first = start_of(0);
constexpr unix_ms last = start_of(10'000) - 1;

void put(char* out, int width, std::int64_t value) {
  for (int i = width; i-- > 0; value /= 10)
    out[i] = static_cast<char>('0' + value % 10);
}

// Takes text apart from the front; the first failure sticks.
class reader {
public:
  explicit reader(std::string_view text) : text_(text) {}

  int number(std::size_t width) {
    int result = 0;
    for (std::size_t i = 0; i < width; ++i)
      result = result * 10 + digit();
    return result;
  }

  void expect(char wanted) {
    if (!take(wanted))
      ok_ = false;
  }

  bool take(char wanted) {
    if (text_.empty() || text_.front() != wanted)
      return false;
    text_.remove_prefix(1);
    return true;
  }

  bool at_digit() const {
    return !text_.empty() && text_.front() >= '0' && text_.front() <= '9';
  }

  bool done() const {
    return ok_ && text_.empty();
  }

private:
  int digit() {
    if (!at_digit()) {
      ok_ = false;
      return 0;
    }
    int result = text_.front() - '0';
    text_.remove_prefix(1);
    return result;
  }

  std::string_view text_;
  bool ok_ = true;
};

int read_fraction(reader& in) {
  int result = 0;
  int weight = 100;
  do {
    result += in.number(1) * weight;
    weight /= 10;
  } while (in.at_digit());
  return result;
}

} // namespace

std::string format_rfc3339(unix_ms time) {
  const std::chrono::sys_time<milliseconds> point{
    milliseconds{std::clamp(time, first, last)}};
  const auto midnight = std::chrono::floor<days>(point);
  const year_month_day date{midnight};
  const auto rest = (point - midnight).count();
  std::string result = "0000-00-00T00:00:00.000Z";
  put(&result[0], 4, static_cast<int>(date.year()));
  put(&result[5], 2, static_cast<unsigned>(date.month()));
  put(&result[8], 2, static_cast<unsigned>(date.day()));
  put(&result[11], 2, rest / 3'600'000);
  put(&result[14], 2, rest / ms_per_minute % 60);
  put(&result[17], 2, rest / 1'000 % 60);
  put(&result[20], 3, rest % 1'000);
  return result;
}

std::optional<unix_ms> parse_rfc3339(std::string_view text) {
  reader in{text};
  const int y = in.number(4);
  in.expect('-');
  const int mon = in.number(2);
  in.expect('-');
  const int d = in.number(2);
  in.expect('T');
  const int h = in.number(2);
  in.expect(':');
  const int min = in.number(2);
  in.expect(':');
  const int s = in.number(2);
  const int ms = in.take('.') ? read_fraction(in) : 0;
  int offset = 0; // minutes east of UTC
  if (!in.take('Z')) {
    const int sign = in.take('-') ? -1 : 1;
    if (sign > 0)
      in.expect('+');
    const int hours = in.number(2);
    in.expect(':');
    const int minutes = in.number(2);
    if (hours > 23 || minutes > 59)
      return std::nullopt;
    offset = sign * (hours * 60 + minutes);
  }
  const year_month_day date{year{y}, month{static_cast<unsigned>(mon)},
                            day{static_cast<unsigned>(d)}};
  if (!in.done() || !date.ok() || h > 23 || min > 59 || s > 59)
    return std::nullopt;
  return sys_days{date}.time_since_epoch().count() * ms_per_day
         + (h * 60 + min - offset) * ms_per_minute + s * 1'000 + ms;
}

} // namespace greenroom
