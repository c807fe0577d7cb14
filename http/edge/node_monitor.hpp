// What the HTTP side shows of the node to those who operate it.
//
// Made by the server before its threads; they share it. Each thread counts in a
// table of its own, and whoever serves /metrics reads all of them.
#pragma once

#include "http/edge/request_counts.hpp"
#include "messages/operations.hpp"
#include "messages/webhooks.hpp"
#include "runtime/metrics/counters.hpp"
#include "runtime/metrics/page.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace greenroom::http {

struct node_monitor {
  std::string node; // its name
  // Null: nobody keeps an audit, nor knows the node's figures.
  operations_actor operations;
  webhooks_actor webhooks;                 // null: nobody delivers any
  std::shared_ptr<node_counters> counters; // never null
  // Adds what the rest of the node has to tell; empty: nothing. Any thread,
  // quick.
  std::function<void(metrics_page&)> figures;
  // What a session takes of the node, as JSON; empty: nobody measures it. Any
  // thread that may wait for a disk.
  std::function<std::string(const std::string& session_id)> usage;
  // One for each thread; not changed once they run.
  std::vector<std::unique_ptr<request_counts>> threads;
};

} // namespace greenroom::http
