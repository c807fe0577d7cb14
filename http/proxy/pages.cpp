#include "http/proxy/pages.hpp"

#include "messages/ids.hpp"

namespace greenroom::http::proxy {

namespace {

std::string escaped(std::string_view text) {
  std::string result;
  for (auto c : text)
    switch (c) {
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '&':
        result += "&amp;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  return result;
}

constexpr std::string_view style =
  "body{font:16px/1.5 system-ui,sans-serif;max-width:48em;margin:12vh auto;"
  "padding:0 1em;color:#222;background:#fafafa;overflow-wrap:anywhere}"
  "pre{font:13px/1.45 ui-monospace,monospace;white-space:pre-wrap;"
  "padding:1em;border-radius:6px;background:#eee}"
  "pre:empty{display:none}"
  ":root{color-scheme:light dark}"
  "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}"
  "pre{background:#262626}}";

/// Asks one question at a time, and none while nobody looks.
constexpr std::string_view waiting_script = R"(
const shown = () => new Promise(go => document.hidden
  ? document.addEventListener('visibilitychange', go, {once: true}) : go());
const pause = () => new Promise(go => setTimeout(go, 1000));
(async () => {
  for (;;) {
    await shown();
    try {
      const answer = await fetch(location.href, {
        cache: 'no-store', headers: {'Greenroom-Waiting': '1'}});
      if (answer.status === 200)
        document.querySelector('pre').textContent = await answer.text();
      else if (answer.status !== 503)
        return location.reload();
      else
        await pause();
    } catch {
      await pause();
    }
  }
})();
)";

page start_page(int status, bool to_person, std::string_view policy) {
  page result;
  auto& head = result.head;
  head.status = status;
  head.headers.add("Cache-Control", "no-store");
  head.headers.add("X-Content-Type-Options", "nosniff");
  if (!to_person)
    return result;
  head.headers.add("Content-Type", "text/html; charset=utf-8");
  head.headers.add("Content-Security-Policy", policy);
  return result;
}

std::string page_start(std::string_view title, std::string_view more,
                       std::string_view text) {
  auto result =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\">"
    + std::string{more} + "<title>" + escaped(title) + "</title><style>";
  result.append(style).append("</style></head><body><main><h1>");
  return result + escaped(title) + "</h1><p>" + escaped(text) + "</p>";
}

constexpr std::string_view page_end = "</main></body></html>\n";

constexpr std::string_view quiet_policy =
  "default-src 'none'; style-src 'unsafe-inline'";

} // namespace

bool is_shown(const wire::message_head& request) {
  auto mode = request.headers.get("Sec-Fetch-Mode");
  if (!mode.empty())
    return mode == "navigate";
  return request.headers.get("Accept").find("text/html")
         != std::string_view::npos;
}

bool is_navigation(const wire::message_head& request) {
  return (request.method == "GET" || request.method == "HEAD")
         && is_shown(request);
}

page make_page(int status, std::string_view title, std::string_view text,
               bool to_person) {
  auto result = start_page(status, to_person, quiet_policy);
  if (to_person)
    result.body = page_start(title, {}, text).append(page_end);
  return result;
}

page make_over_page(const session_info& session, bool may_know,
                    bool to_person) {
  auto text = "Its status is \"" + session.over + '"';
  if (!session.ended_at.empty())
    text += " since " + session.ended_at;
  if (may_know && !session.reason.empty())
    text += ": " + session.reason;
  text += text.ends_with('.') ? "" : ".";
  return make_page(410, "This session is over",
                   text + " What ran in it has ended with it.", to_person);
}

std::string output_text(const printed_last& output) {
  if (output.exec_id.empty())
    return {};
  return "# " + output.exec_id + " (" + output.status + ")\n" + output.text;
}

page make_waiting_page(std::string_view text, const printed_last& output,
                       bool to_person) {
  auto nonce = random_hex(16);
  auto policy = std::string{quiet_policy} + "; connect-src 'self'; script-src "
                + "'nonce-" + nonce + '\'';
  auto result = start_page(503, to_person, policy);
  result.head.headers.add("Retry-After", "1");
  if (!to_person)
    return result;
  // For who runs no scripts.
  constexpr std::string_view again =
    "<noscript><meta http-equiv=\"refresh\" content=\"1\"></noscript>";
  auto sentence =
    std::string{text} + ". This page opens the app as soon as it is there.";
  result.body = page_start("Waiting for the app", again, sentence);
  result.body.append("<pre>").append(escaped(output_text(output)));
  result.body.append("</pre><script nonce=\"" + nonce + "\">");
  result.body.append(waiting_script).append("</script>").append(page_end);
  return result;
}

} // namespace greenroom::http::proxy
