// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/uv_status.h"

#include <errno.h>

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cpp/linked_uv_api.h"

namespace uvgrpc {
namespace {

using testing::HasSubstr;

TEST(UvStatusTest, WhateverEndsAConnectionIsUnavailable) {
  for (int error = 1; error < 134; ++error) {
    EXPECT_EQ(ConnectionLost("recvmsg:", error).code(),
              absl::StatusCode::kUnavailable)
        << error;
  }
}

TEST(UvStatusTest, ConnectionsAreLostInTheWordsOfGrpcsOwnEngine) {
  EXPECT_EQ(ConnectionLost("recvmsg:", ECONNRESET).message(),
            "recvmsg:Connection reset by peer (104)");
  EXPECT_EQ(ConnectionLost("sendmsg: ", EPIPE).message(),
            "sendmsg: Broken pipe (32)");
  EXPECT_EQ(ConnectionLost("recvmsg:", ETIMEDOUT).message(),
            "recvmsg:Connection timed out (110)");
}

TEST(UvStatusTest, ConnectionsAreNotMadeInTheWordsOfGrpcsOwnEngine) {
  EXPECT_EQ(ConnectFailed("ipv4:127.0.0.1:1", ECONNREFUSED, /*at_once=*/false),
            absl::UnknownError(
                "Failed to connect to remote host: Connection refused"));
  const absl::Status at_once =
      ConnectFailed("unix:/none", ENOENT, /*at_once=*/true);
  EXPECT_EQ(at_once.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(at_once.message()),
              HasSubstr("connect failed: addr: unix:/none error: "
                        "No such file or directory"));
}

TEST(UvStatusTest, LibuvsErrnosAreInTheWordsOfTheCLibrary) {
  EXPECT_EQ(UvStatus(LinkedUvApi(), UV_EMFILE, "accept").message(),
            "accept: Too many open files (EMFILE)");
  EXPECT_EQ(UvStatus(LinkedUvApi(), UV_ECONNREFUSED, "query").message(),
            "query: Connection refused (ECONNREFUSED)");
  EXPECT_EQ(ErrnoStatus(EADDRINUSE, "bind").message(),
            "bind: Address already in use (errno 98)");
}

TEST(UvStatusTest, LibuvsOwnErrorsAreInItsWords) {
  const absl::Status status = UvStatus(LinkedUvApi(), UV_EAI_NONAME, "lookup");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("EAI_NONAME"));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(uv_strerror(UV_EAI_NONAME)));
}

TEST(UvStatusTest, NoErrorIsOk) {
  EXPECT_TRUE(UvStatus(LinkedUvApi(), 0, "nothing").ok());
  EXPECT_TRUE(ErrnoStatus(0, "nothing").ok());
}

}  // namespace
}  // namespace uvgrpc
