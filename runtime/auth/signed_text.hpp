// Text that only who knows a secret can have made: with a code behind it, so
// that nothing has to be kept of what was handed out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace greenroom {

class text_signer {
public:
  /// `purpose` keeps what is made for one use from being taken for another's.
  text_signer(std::string_view purpose, std::string_view secret);

  /// The text, a dot and its code in hex.
  std::string sign(const std::string& text) const;

  /// The text before the code; nullopt where that is not its code.
  std::optional<std::string_view> open(std::string_view signed_text) const;

private:
  std::string code_of(std::string_view text) const;

  std::string secret_; // bytes
};

} // namespace greenroom
