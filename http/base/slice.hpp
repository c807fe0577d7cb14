// A piece of a text that several connections send.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace greenroom::http {

/// A part of a shared text, kept alive until the kernel has it; without an
/// owner, of one that lives as long as the program.
struct slice {
  std::shared_ptr<const std::string> owner;
  std::string_view view;

  const char* data() const noexcept {
    return view.data();
  }
  std::size_t size() const noexcept {
    return view.size();
  }
};

} // namespace greenroom::http
