# A grpcio that is newer than the one of grpc.cmake, for `make newer-grpcio`: what would move with it.
set(NEWER_GRPC_VERSION 1.85.3)
set(NEWER_GRPC_SHA256 8e18f15d1b09b8771edbf59d634b26cbe4903bc2577cb667264934a6655eb8b4)
