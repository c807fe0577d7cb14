// Whether a body in chunks is one. RESTinio closes without a word where it is
// not, so bodies are looked at here, too.
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
  enum class part { size, extension, data, data_end, trailer, over };

  bool take(char c) noexcept;
  bool take_of_size(char c) noexcept;
  void size_ends() noexcept;

  static constexpr std::size_t max_digits = 15;
  static constexpr std::size_t max_extra =
    16 * 1024; // of an extension; of trailers

  part at_ = part::size;
  std::uint64_t left_ = 0; // of the chunk
  std::size_t digits_ = 0; // of its size
  std::size_t extra_ = 0;  // since the last size, or of the trailer
  bool in_line_ = false;   // a line of the trailer has begun
};

} // namespace greenroom::http
