// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/uv_api.h"

#include <cstring>
#include <string>

#include "gtest/gtest.h"
#include "src/engine/linked_uv.h"

namespace uvgrpc {
namespace {

constexpr unsigned Version(unsigned major, unsigned minor) {
  return (major << 16) | (minor << 8);
}

template <unsigned kVersion>
void* FindWithVersion(const char* symbol) {
  if (std::strcmp(symbol, "uv_version") == 0) {
    return reinterpret_cast<void*>(+[] { return kVersion; });
  }
  return FindLinkedUvSymbol(symbol);
}

TEST(UvApiTest, LoadsEveryFunctionOfTheLibrary) {
  const absl::StatusOr<UvApi> api = UvApi::Load(&FindLinkedUvSymbol);
  ASSERT_TRUE(api.ok()) << api.status();
  EXPECT_EQ(api->version(), uv_version());
  EXPECT_EQ(api->close, &uv_close);
  EXPECT_EQ(api->handle_size(UV_POLL), sizeof(uv_poll_t));
}

TEST(UvApiTest, NamesTheFunctionThatIsMissing) {
  const absl::StatusOr<UvApi> api = UvApi::Load([](const char* symbol) {
    return std::strcmp(symbol, "uv_poll_start") == 0
               ? nullptr
               : FindLinkedUvSymbol(symbol);
  });
  EXPECT_EQ(api.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(api.status().message().find("uv_poll_start"), std::string::npos)
      << api.status();
}

TEST(UvApiTest, RefusesALibraryThatIsTooOld) {
  const absl::StatusOr<UvApi> api =
      UvApi::Load(&FindWithVersion<Version(1, 44)>);
  EXPECT_EQ(api.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(api.status().message().find("1.45"), std::string::npos);
}

TEST(UvApiTest, TakesTheOldestAndAnyNewerMinorVersion) {
  EXPECT_TRUE(UvApi::Load(&FindWithVersion<Version(1, 45)>).ok());
  EXPECT_TRUE(UvApi::Load(&FindWithVersion<Version(1, 99)>).ok());
}

TEST(UvApiTest, RefusesAnotherMajorVersion) {
  EXPECT_EQ(UvApi::Load(&FindWithVersion<Version(2, 0)>).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(UvApiTest, ALibraryThatIsNotLoadedIsNotFound) {
  const absl::StatusOr<UvApi> api =
      UvApi::FromLoadedLibrary("/nowhere/libuv.so");
  EXPECT_EQ(api.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(api.status().message().find("/nowhere/libuv.so"),
            std::string::npos);
}

TEST(UvApiTest, ALoadedLibraryWithoutLibuvIsRefused) {
  EXPECT_EQ(UvApi::FromLoadedLibrary("libc.so.6").status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace uvgrpc
