// A page of metrics in the text form of Prometheus.
//
// Filled by whoever has something to say, then written once. One thread. Names
// and labels must keep to Prometheus's rules, which a test checks.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace greenroom {

class metrics_page {
public:
  using labels = std::vector<std::pair<std::string, std::string>>;

  metrics_page();
  metrics_page(const metrics_page&) = delete;
  metrics_page& operator=(const metrics_page&) = delete;
  ~metrics_page();

  /// What only grows; the name ends with `_total`.
  void counter(std::string_view name, std::string_view help, double value,
               labels of = {});

  /// What is so at the moment.
  void gauge(std::string_view name, std::string_view help, double value,
             labels of = {});

  /// `counts[i]` observations were at most `bounds[i]` and above the bound
  /// before; the last count is of those above all bounds.
  void histogram(std::string_view name, std::string_view help,
                 std::span<const double> bounds,
                 std::span<const std::uint64_t> counts, double sum,
                 labels of = {});

  std::string text() const;

  static constexpr std::string_view content_type =
    "text/plain; version=0.0.4; charset=utf-8";

private:
  struct families;
  std::unique_ptr<families> families_;
};

} // namespace greenroom
