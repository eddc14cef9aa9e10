#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

// The calls whose names a type of ours has too, and those that differ between the systems.

func systemClose(_ descriptor: Int32) { close(descriptor) }

func systemAccept(_ listener: Int32) -> Int32 { accept(listener, nil, nil) }

/// Never raises SIGPIPE.
func systemSend(_ descriptor: Int32, _ bytes: ArraySlice<UInt8>) -> Int {
  #if canImport(Glibc)
    let flags = Int32(MSG_NOSIGNAL)
  #else
    let flags: Int32 = 0
  #endif
  return bytes.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, flags) }
}

func systemReceive(_ descriptor: Int32, _ buffer: inout [UInt8]) -> Int {
  buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
}
