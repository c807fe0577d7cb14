#include "http/api/kept_elsewhere.hpp"

#include "http/api/owner_away.hpp"
#include "http/edge/ask.hpp"
#include "http/edge/disks.hpp"
#include "http/edge/peers.hpp"
#include "messages/left_work.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace greenroom::http::handlers {

namespace {

// -- a list -------------------------------------------------------------------

/// What is asked of several nodes at once.
struct measuring {
  kept_sessions all;
  std::size_t unanswered = 0; // nodes
  std::function<void(const kept_sessions&)> then;

  void answered() {
    if (--unanswered == 0)
      then(all);
  }
};

void put_sizes(kept_sessions& all, const measure_left_work& asked,
               const kept_files_list& found) {
  std::erase_if(all.sessions, [&](kept_session& one) {
    if (std::ranges::find(asked.session_ids, one.session.id)
        == asked.session_ids.end())
      return false;
    auto files = std::ranges::find(found.sessions, one.session.id,
                                   &kept_files::session_id);
    if (files != found.sessions.end())
      one.bytes = files->bytes;
    return files == found.sessions.end();
  });
}

// -- one of them --------------------------------------------------------------

using on_dropped = std::function<void()>;

/// The owner has it, or an earlier node that it was itself by another name.
void drop_by_owner(const exchange_ptr& ex, const on_dropped& dropped,
                   const on_no_answer& failed) {
  ask_session<done>(
    ex, ex->env.options.ordinary, retry::unhandled, greenroom::drop_kept{},
    [dropped](const done&) { dropped(); }, failed);
}

void drop_by_node(const exchange_ptr& ex, const std::string& node,
                  const on_dropped& dropped) {
  ask<done>(ex, disks_of(ex->env.directory), ex->env.options.ordinary,
            drop_left_work{node, ex->session_id()},
            [dropped](const done&) { dropped(); });
}

/// Of a node that there is, and that may be back.
void refuse_down(const exchange_ptr& ex, const std::string& node) {
  ex->refuse(errc::unavailable,
             "what is kept lies on the disk of node " + node
               + ", which is down: start it again, and try again then; if its "
                 "disk is gone for good, nothing is left to be removed");
}

void drop_of(const exchange_ptr& ex, const std::string& node,
             const on_dropped& dropped) {
  ask<node_list>(
    ex, ex->env.nodes, ex->env.options.ordinary, greenroom::list_nodes{},
    [ex, node, dropped](const node_list& all) {
      auto found = std::ranges::find(all.nodes, node, &node_record::name);
      const auto is_known = found != all.nodes.end();
      if (is_known && found->state != node_state::down)
        return drop_by_node(ex, node, dropped);
      drop_by_owner(ex, dropped, [ex, node, is_known](const ask_error& why) {
        if (is_known && to_refusal(why).code == errc::conflict)
          refuse_down(ex, node);
        else
          refuse_with(ex, why);
      });
    });
}

} // namespace

void measure_elsewhere(const exchange_ptr& ex, kept_sessions all,
                       const std::function<void(const kept_sessions&)>& then) {
  std::map<std::string, measure_left_work> nodes;
  if (ex->env.others)
    for (auto& [session, bytes] : all.sessions)
      if (bytes == 0) {
        nodes[session.node].node = session.node;
        nodes[session.node].session_ids.push_back(session.id);
      }
  if (nodes.empty())
    return then(all);
  auto work =
    std::make_shared<measuring>(measuring{std::move(all), nodes.size(), then});
  for (auto& [node, asked] : nodes)
    ask_within<kept_files_list>(
      ex, disks_of(ex->env.directory), ex->env.options.owner, asked,
      [work, asked = asked](const kept_files_list& found) {
        put_sizes(work->all, asked, found);
        work->answered();
      },
      [ex, work](const ask_error&) {
        answering(ex, [&] { work->answered(); });
      });
}

void drop_where_kept(const exchange_ptr& ex, const on_dropped& dropped) {
  auto by_owner = [ex, dropped] {
    drop_by_owner(ex, dropped,
                  [ex](const ask_error& why) { refuse_with(ex, why); });
  };
  if (!has_shared_store(*ex))
    return by_owner();
  ask<session_record>(
    ex, ex->env.others->reader, ex->env.options.look_up,
    load_session{ex->session_id()},
    [ex, dropped, by_owner](const session_record& session) {
      if (session.project_id != ex->project_id())
        throw refused(errc::not_found, "session not found");
      if (is_live(session.status) || !names_left_work(session))
        by_owner();
      else
        drop_of(ex, session.node, dropped);
    },
    [by_owner](const ask_error&) { by_owner(); });
}

} // namespace greenroom::http::handlers
