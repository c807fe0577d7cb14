#include "http/proxy/app_pool.hpp"

#include <algorithm>

namespace greenroom::http::proxy {

app_pool::connection_ptr app_pool::take(const place& of) {
  auto found = idle_.find(of);
  if (found == idle_.end())
    return nullptr;
  connection_ptr result;
  auto& all = found->second;
  while (!all.empty() && !result) {
    if (!all.back().connection->stale())
      result = std::move(all.back().connection);
    all.pop_back();
    --size_;
  }
  return result;
}

void app_pool::put(const place& of, connection_ptr idle) {
  if (size_ >= max_idle)
    return;
  auto& all = idle_[of];
  if (all.size() >= max_idle_of_one)
    return;
  all.push_back({std::move(idle), clock::now()});
  ++size_;
}

void app_pool::expire(clock::time_point now) {
  for (auto i = idle_.begin(); i != idle_.end();) {
    auto& all = i->second;
    const auto young = std::ranges::find_if(
      all, [&](auto& one) { return now - one.since < idle_time; });
    size_ -= static_cast<std::size_t>(young - all.begin());
    all.erase(all.begin(), young);
    i = all.empty() ? idle_.erase(i) : std::next(i);
  }
}

void app_pool::clear() {
  idle_.clear();
  size_ = 0;
}

} // namespace greenroom::http::proxy
