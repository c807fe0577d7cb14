#include "runtime/metrics/page.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>

namespace greenroom {

using prometheus::ClientMetric;
using prometheus::MetricType;

struct metrics_page::families {
  std::vector<prometheus::MetricFamily> all; // in the order of the page

  ClientMetric& add(std::string_view name, std::string_view help,
                    MetricType type, labels of) {
    auto found = std::ranges::find(all, name, &prometheus::MetricFamily::name);
    if (found == all.end())
      found =
        all.insert(all.end(), {std::string{name}, std::string{help}, type, {}});
    auto& metric = found->metric.emplace_back();
    for (auto& [label, value] : of)
      metric.label.push_back({std::move(label), std::move(value)});
    return metric;
  }
};

metrics_page::metrics_page() : families_(std::make_unique<families>()) {}

metrics_page::~metrics_page() = default;

void metrics_page::counter(std::string_view name, std::string_view help,
                           double value, labels of) {
  families_->add(name, help, MetricType::Counter, std::move(of)).counter.value =
    value;
}

void metrics_page::gauge(std::string_view name, std::string_view help,
                         double value, labels of) {
  families_->add(name, help, MetricType::Gauge, std::move(of)).gauge.value =
    value;
}

void metrics_page::histogram(std::string_view name, std::string_view help,
                             std::span<const double> bounds,
                             std::span<const std::uint64_t> counts, double sum,
                             labels of) {
  auto& made =
    families_->add(name, help, MetricType::Histogram, std::move(of)).histogram;
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    all += counts[i];
    made.bucket.push_back({all, i < bounds.size()
                                  ? bounds[i]
                                  : std::numeric_limits<double>::infinity()});
  }
  made.sample_count = all;
  made.sample_sum = sum;
}

std::string metrics_page::text() const {
  return prometheus::TextSerializer{}.Serialize(families_->all);
}

} // namespace greenroom
