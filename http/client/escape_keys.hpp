// Finds the keys that leave a terminal: Enter, then ~ and a point, as with ssh.
#pragma once

#include <string>
#include <string_view>

namespace greenroom::http::client {

class escape_keys {
public:
  struct typed {
    std::string bytes; // to be passed on
    bool leave = false;
  };

  /// What is left of the keys. A ~ after Enter is held back until the next key.
  typed take(std::string_view keys) {
    typed result;
    for (auto key : keys) {
      if (at_ == place::tilde) {
        if (key == '.') {
          result.leave = true;
          return result;
        }
        if (key != '~') // twice: it is meant
          result.bytes += '~';
        at_ = place::line;
      } else if (at_ == place::start && key == '~') {
        at_ = place::tilde;
        continue;
      }
      result.bytes += key;
      at_ = key == '\r' || key == '\n' ? place::start : place::line;
    }
    return result;
  }

private:
  enum class place { start, tilde, line };
  place at_ = place::start;
};

} // namespace greenroom::http::client
