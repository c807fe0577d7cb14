// An immutable text that many hold and nobody copies.
//
// What is encoded once (a session's JSON, a batch of events) is sent to many
// actors and sockets. As a message it is a value: it serialises as its text.
#pragma once

#include <utility> // caf/meta/load_callback.hpp forgets it

#include <caf/error.hpp>
#include <caf/meta/load_callback.hpp>
#include <caf/meta/type_name.hpp>
#include <caf/none.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace greenroom {

class shared_text {
public:
  shared_text() = default;
  explicit shared_text(std::string text)
    : text_(std::make_shared<const std::string>(std::move(text))) {}

  std::string_view view() const noexcept {
    return text_ ? std::string_view{*text_} : std::string_view{};
  }
  std::size_t size() const noexcept {
    return view().size();
  }
  bool empty() const noexcept {
    return size() == 0;
  }

  /// Keeps the text alive, for writers that hold it until the kernel took it.
  /// Null for an empty text.
  const std::shared_ptr<const std::string>& owner() const noexcept {
    return text_;
  }

  friend bool operator==(const shared_text& a, const shared_text& b) noexcept {
    return a.view() == b.view();
  }

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, shared_text& x) {
    std::string plain;
    if constexpr (Inspector::reads_state)
      plain = std::string{x.view()};
    auto load = [&]() -> caf::error {
      x = shared_text{std::move(plain)};
      return caf::none;
    };
    return f(caf::meta::type_name("shared_text"), plain,
             caf::meta::load_callback(load));
  }

private:
  std::shared_ptr<const std::string> text_;
};

} // namespace greenroom
