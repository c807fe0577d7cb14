#include "runtime/node/open_store.hpp"

#include "runtime/node/node.hpp"

namespace greenroom {

std::unique_ptr<store::connection>
open_store(const config& settings, const std::filesystem::path& data_dir) {
  auto& url = settings.storage.url;
  auto fail = [&](const std::string& why) {
    return start_error("the store cannot be opened: " + why);
  };
  try {
    return std::make_unique<store::connection>(url, data_dir,
                                               settings.storage.sync);
  } catch (const store::unavailable& e) {
    throw fail(e.detail() + "; see storage.url, it names "
               + store::store_name(url));
  } catch (const std::exception& e) {
    throw fail(e.what());
  }
}

} // namespace greenroom
