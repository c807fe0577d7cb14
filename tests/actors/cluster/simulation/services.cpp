#include "tests/actors/cluster/simulation/services.hpp"

#include "actors/cluster/machine/member.hpp"
#include "messages/errors.hpp"
#include "messages/git.hpp"
#include "messages/moving.hpp"
#include "messages/store.hpp"
#include "messages/upkeep.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <caf/typed_response_promise.hpp>

#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

namespace greenroom::simulation {

namespace {

// As the store's connection tells them apart (runtime/store/connection.hpp):
// unavailable promises that nothing has happened.
caf::error not_known() {
  return make_error(errc::timeout, "the store did not answer in time");
}

caf::error not_asked(chance& luck) {
  return luck.one_in(2)
           ? not_known()
           : make_error(errc::unavailable, "the store cannot be reached");
}

// What is under way keeps it, also when the actor has been killed.
struct service : std::enable_shared_from_this<service> {
  service(caf::event_based_actor* actor, service_options options)
    : self(actor), own(std::move(options)) {}

  caf::event_based_actor* self;
  service_options own;

  stage& world() const {
    return *own.world;
  }
  machine& here() const {
    return world().machines[static_cast<std::size_t>(own.node)];
  }
  store_model& store() const {
    return world().store;
  }

  /// Answers are given while the actor runs.
  void run_later(agenda::task what) {
    tasks[++last_task] = std::move(what);
    caf::anon_send(caf::actor_cast<caf::actor>(self), last_task);
  }

  std::unordered_map<std::uint64_t, agenda::task> tasks;
  std::uint64_t last_task = 0;

  template <class Reply>
  using answer = std::pair<std::optional<Reply>, caf::error>;

  template <class Reply, class F>
  static answer<Reply> result_of(const F& what) {
    answer<Reply> result;
    try {
      result.first = what();
    } catch (const refused& e) {
      result.second = make_error(e.code(), e.what());
    }
    return result;
  }

  template <class Reply>
  static void deliver(caf::typed_response_promise<Reply> promise,
                      const answer<Reply>& came) {
    if (came.first)
      promise.deliver(*came.first);
    else
      promise.deliver(came.second);
  }

  /// Asks the store. `heard` sees an answer that has come.
  template <class Reply, class F>
  caf::result<Reply> ask(F what, std::function<void(const Reply&)> heard = {}) {
    auto promise = self->make_response_promise<Reply>();
    auto me = shared_from_this();
    auto life = here().life;
    if (world().is_over(own.node, life))
      return promise; // its process is being killed
    auto arrive = [me, promise, life, heard](const answer<Reply>& came) {
      if (me->world().is_over(me->own.node, life))
        return;
      me->world().in_process(me->own.node, 0, [me, promise, heard, came] {
        if (came.first && heard)
          heard(*came.first);
        me->run_later([promise, came] { deliver<Reply>(promise, came); });
      });
    };
    auto fail = [arrive](caf::error why) {
      arrive({std::nullopt, std::move(why)});
    };
    world().links.send(
      own.node, the_store,
      [me, what, arrive, fail] {
        auto came = result_of<Reply>(what);
        me->world().links.send(
          the_store, me->own.node, [came, arrive] { arrive(came); },
          [fail] { fail(not_known()); });
      },
      [me, fail] { fail(not_asked(me->world().luck)); });
    return promise;
  }

  /// Does something with git, which may fail, or take long.
  template <class Reply, class F>
  caf::result<Reply> work(F what) {
    auto promise = self->make_response_promise<Reply>();
    auto me = shared_from_this();
    auto& luck = world().luck;
    auto pause = !world().calm && luck.one_in(20) ? luck.between(100, 5'000)
                                                  : luck.between(1, 60);
    world().in_process(own.node, pause, [me, promise, what] {
      answer<Reply> came{std::nullopt,
                         make_error(errc::unavailable, "git cannot now")};
      if (me->world().calm || !me->world().luck.one_in(15))
        came = result_of<Reply>(what);
      me->run_later([promise, came] { deliver<Reply>(promise, came); });
    });
    return promise;
  }
};

using pointer = std::shared_ptr<service>;

// As lease_store does, whose connection is one of its own.
caf::result<kept_lease> keep(const pointer& s, const keep_lease& x) {
  auto begun = s->world().steady_of(s->own.node);
  node_record node;
  node.name = s->here().name;
  node.incarnation = x.incarnation;
  auto heard = [s, begun](const kept_lease& kept) {
    if (!kept.is_kept)
      return;
    auto delay = cluster::delay_of(s->here().name, kept.owners, kept.rules);
    s->here().run_lease = runner::run_lease_of(begun, lease, delay);
    s->own.renewed();
  };
  return s->ask<kept_lease>(
    [s, x, node] {
      if (x.joins)
        s->store().join(node, lease);
      else if (!s->store().renew(node.name, x.incarnation, lease))
        return kept_lease{};
      return s->store().look();
    },
    heard);
}

// Nobody may move references but the owner.
void about_to_move(const pointer& s, const session_record& session) {
  s->world().rules.acts(s->here().name, session.id, "references are moved");
}

caf::message_handler of_sessions(const pointer& s) {
  return {
    [s](const insert_session& x) {
      return s->ask<done>([s, x] {
        s->store().insert_session(x.session, x.max_active);
        return done{};
      });
    },
    [s](const update_session& x) {
      return s->ask<done>([s, x] {
        s->store().update_session(x.session, x.events);
        return done{};
      });
    },
    [s](const take_session& x) {
      return s->ask<session_record>([s, x] {
        return s->store().take_session(x.session_id, s->here().name);
      });
    },
    [s](take_live_sessions) {
      return s->ask<session_rows>([s] {
        return session_rows{s->store().take_live_sessions(s->here().name), {}};
      });
    },
    [s](const note_exec& x) {
      return s->ask<done>([s, x] {
        s->store().note_exec(x);
        return done{};
      });
    },
    [s](const load_session& x) {
      return s->ask<session_record>(
        [s, x] { return s->store().find_session(x.session_id); });
    },
    [s](const live_sessions& x) {
      return s->ask<session_rows>([s, x] {
        return session_rows{s->store().live_sessions(x.project_id), {}};
      });
    },
    [s](const load_outbox& x) {
      return s->ask<outbox>([s, x] {
        auto* row = s->store().row_of(x.session_id);
        return row == nullptr ? outbox{} : outbox{row->outbox};
      });
    },
    [s](const load_home& x) {
      return s->ask<session_home>([s, x] {
        auto* row = s->store().row_of(x.session_id);
        return session_home{row == nullptr ? 0 : row->home_epoch};
      });
    },
    [s](const find_lost& x) {
      return s->ask<lost_list>([s, x] {
        return lost_list{s->store().lost_sessions(x.project_id, x.node)};
      });
    },
    [s](const load_notes& x) {
      return s->ask<exec_notes>(
        [s, x] { return exec_notes{s->store().noted(x.session_id)}; });
    },
    [s](const load_review&) {
      return s->ask<review_record>([]() -> review_record {
        throw refused(errc::not_found, "review not found");
      });
    },
    [s](const query_reviews&) {
      return s->ask<review_page>([] { return review_page{}; });
    },
  };
}

caf::message_handler of_leases(const pointer& s) {
  return {
    [s](const keep_lease& x) { return keep(s, x); },
    [s](const take_projects& x) {
      return s->ask<done>([s, x] {
        for (auto& one : x.projects)
          s->store().take_over(s->here().name, x.incarnation, one);
        return done{};
      });
    },
    [s](list_nodes) {
      return s->ask<node_list>([s] { return node_list{s->store().nodes()}; });
    },
    [s](const find_owner& x) {
      return s->ask<owner_record>([s, x] { return s->store().owner_of(x); });
    },
    [s](list_owners) {
      return s->ask<owner_list>([s] {
        return owner_list{s->store().owners(), s->store().rules()};
      });
    },
    [s](const get_project& x) {
      return s->ask<project_record>(
        [s, x] { return s->store().project(x.project_id); });
    },
    [s](const declare_state& x) {
      return s->ask<done>([s, x] {
        s->store().set_node_state(s->here().name, x.state);
        return done{};
      });
    },
    [s](const give_project& x) {
      return s->ask<given_project>([s, x] {
        return given_project{
          s->store().hand_over(s->here().name, x.project, x.to)};
      });
    },
  };
}

caf::message_handler of_git(const pointer& s) {
  return {
    [s](const resolve_branch&) {
      return s->work<resolved_branch>([] {
        return resolved_branch{"c0ffee", "main"};
      });
    },
    [s](const make_checkout&) { return s->work<done>([] { return done{}; }); },
    [s](const install_checkout& x) {
      return s->work<done>([s, x] {
        s->here().disks[x.session_id].checkout = true;
        return done{};
      });
    },
    [s](const restore_checkout& x) {
      return s->work<restored_checkout>([s, x] {
        auto found = s->world().checkpoints.find(x.session.id);
        return found == s->world().checkpoints.end()
                 ? restored_checkout{}
                 : restored_checkout{"c1", now_ms()};
      });
    },
    [s](const save_checkpoint& x) {
      return s->work<done>([s, x] {
        auto& there = s->world().checkpoints[x.session.id];
        if (there > x.session.epoch)
          throw refused(errc::conflict, "another node has saved one");
        there = x.session.epoch;
        return done{};
      });
    },
    [s](const drop_checkpoint& x) {
      return s->work<done>([s, x] {
        s->world().checkpoints.erase(x.session_id);
        return done{};
      });
    },
    [s](const save_checkin& x) {
      about_to_move(s, x.session);
      return s->work<saved_checkin>([] { return saved_checkin{"c2", {}, {}}; });
    },
    [s](const save_rescue& x) {
      about_to_move(s, x.session);
      return s->work<saved_rescue>([] { return saved_rescue{}; });
    },
    [s](const remove_checkout& x) {
      return s->work<done>([s, x] {
        s->here().disks[x.session_id].checkout = false;
        return done{};
      });
    },
    [s](const poll_branch&) {
      return s->work<checkout_tip>([] { return checkout_tip{"c0ffee", true}; });
    },
    [s](const push_rescues&) {
      return s->work<pushed_rescues>([] { return pushed_rescues{}; });
    },
    [s](const list_directories&) {
      return s->work<directory_list>([] { return directory_list{}; });
    },
  };
}

} // namespace

caf::behavior services(caf::event_based_actor* self, service_options options) {
  auto s = std::make_shared<service>(self, std::move(options));
  caf::message_handler own_tasks{[s](std::uint64_t number) {
    if (auto task = s->tasks.extract(number))
      task.mapped()();
  }};
  return own_tasks.or_else(of_sessions(s))
    .or_else(of_leases(s))
    .or_else(of_git(s));
}

} // namespace greenroom::simulation
