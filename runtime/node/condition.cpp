// What a node says of itself: for readyz, metrics and a session's stats.

#include "runtime/api_json/usage.hpp"
#include "runtime/metrics/process.hpp"
#include "runtime/node/parts.hpp"

#include <nlohmann/json.hpp>

namespace greenroom {

// Why it cannot serve, for readyz.
std::vector<std::string> node::parts::reasons_not_ready() const {
  if (!ready)
    return {"sessions are being brought back"};
  if (membership && !membership->gate()->is_open())
    return {"the node does not hold its lease in the store, so that others may "
            "own its projects; it goes on once the store answers"};
  if (membership)
    if (auto missing = membership->arrival().missing(); !missing.empty())
      return missing;
  if (auto left = reviving.load(); left != 0)
    return {"sessions are being brought back, " + std::to_string(left)
            + " are still to come"};
  auto result = health.problems();
  if (auto problem = journals->problem())
    result.push_back(std::move(*problem));
  return result;
}

// What it serves without, for readyz.
std::vector<std::string> node::parts::warnings() const {
  auto result = host->not_in_force;
  for (auto& fault : faults_of_projects.texts())
    result.push_back(std::move(fault));
  auto disk = syncer->look();
  if (disk.lag > fsync_queue::late)
    result.push_back("the disk is slow: what was written "
                     + std::to_string(disk.lag.count())
                     + " ms ago is not safe from a power cut yet");
  if (!disk.problem.empty())
    result.push_back("the disk does not keep what is written: " + disk.problem);
  if (!disk.refused.empty())
    result.push_back("the disk has refused to keep a file since the node was "
                     "started, and a power cut may lose what was written ("
                     + disk.refused
                     + "); look after the disk, then start the node again");
  if (auto lag = journals->lag(); lag > journal::writers::late)
    result.push_back("the disk is slow: what a session has to write or read "
                     "has waited for "
                     + std::to_string(lag.count()) + " ms");
  for (auto& late : context->overdue->warnings())
    result.push_back(std::move(late));
  return result;
}

// What is neither an actor's nor the HTTP side's, for /metrics.
void node::parts::add_figures(metrics_page& page) const {
  auto seconds = [](std::chrono::milliseconds time) {
    return std::chrono::duration<double>(time).count();
  };
  page.gauge("greenroom_ready", "1 where /readyz says that the node can serve.",
             reasons_not_ready().empty() ? 1 : 0);
  page.gauge("greenroom_runners", "Runners of sessions that are connected.",
             static_cast<double>(runners->connected()));
  page.gauge("greenroom_sessions_reviving",
             "Sessions that have not come back since the node started.",
             static_cast<double>(reviving.load()));
  constexpr std::string_view lag = "greenroom_lag_seconds";
  constexpr std::string_view help =
    "How long writes wait: of the store, of sessions' journals, and for the "
    "disk to have what journals wrote.";
  page.gauge(lag, help, seconds(health.store_lag()), {{"of", "store"}});
  page.gauge(lag, help, seconds(journals->lag()), {{"of", "journal"}});
  page.gauge(lag, help, seconds(syncer->look().lag), {{"of", "fsync"}});
  add_counters(page, webhook_counts);
  if (cluster)
    cluster->add_figures(page);
  add_process(page);
}

// For …/stats. A limit that is not in force is none.
std::string node::parts::usage_of(const std::string& session_id) const {
  const auto& rules = host->config;
  const auto& groups = host->groups;
  usage_limits limits;
  if (groups.limits_processes())
    limits.processes = rules.pids;
  if (groups.limits_memory())
    limits.memory = rules.memory;
  if (rules.mode == sandbox_mode::bubblewrap) {
    limits.disk = rules.disk;
    limits.files = rules.files;
  }
  return usage_json(session_id, meter->measure(session_id), limits).dump();
}

} // namespace greenroom
