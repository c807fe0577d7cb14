// A node's connections to its store.
#pragma once

#include "runtime/config/config.hpp"
#include "runtime/store/connection.hpp"

#include <filesystem>
#include <memory>

namespace greenroom {

/// Throws start_error, with a sentence that names the store and what would do.
std::unique_ptr<store::connection>
open_store(const config& settings, const std::filesystem::path& data_dir);

} // namespace greenroom
