// Whether a body in chunks is one. RESTinio closes without a word where it is
// not, and its parser is lenient about what ends a line, so bodies are looked
// at here, too: lines end with CR LF, and nothing else is a CR.
//
// Takes what strangers send, in any pieces; keeps none of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace greenroom::http {

class chunk_scan {
public:
  /// How much of what was read next belongs to the body; nullopt where that is
  /// no body in chunks. Not to be called after that, nor once it is over.
  std::optional<std::size_t> add(std::string_view bytes) noexcept;

  /// All of the body has come; what follows is another request.
  bool over() const noexcept {
    return at_ == part::over;
  }

private:
  enum class part : std::uint8_t {
    size,
    extension,
    data,
    data_end,
    trailer_name,
    trailer_value,
    over
  };

  bool take(char c) noexcept;
  bool take_of_size(char c) noexcept;
  bool take_of_trailer(char c) noexcept;
  void line_ends() noexcept;

  static constexpr std::size_t max_digits = 15;
  static constexpr std::size_t max_extra =
    16 * 1024; // of an extension; of trailers

  part at_ = part::size;
  std::uint64_t left_ = 0; // of the chunk
  std::size_t digits_ = 0; // of its size
  std::size_t extra_ = 0;  // since the last size, or of the trailer
  bool in_line_ = false;   // a line of the trailer has begun
  bool after_cr_ = false;
};

} // namespace greenroom::http
