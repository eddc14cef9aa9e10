import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Tables in `docs/reliability.md` that tests make. `PROMPTSH_WRITE_TABLES=1 scripts/test --filter StormTests` writes this one.
enum Document {
  /// Whether what stands between the two marks is `text`.
  static func check(_ mark: String, _ text: String) throws {
    let path = String(#filePath.prefix(through: #filePath.lastIndex(of: "/")!)) + "../../docs/reliability.md"
    let document = try #require(read(path))
    let marks = document.ranges(of: "<!-- \(mark) -->")
    try #require(marks.count == 2)
    guard getenv("PROMPTSH_WRITE_TABLES") != nil else {
      #expect(document[marks[0].upperBound..<marks[1].lowerBound] == text[...])
      return
    }
    let file = try #require(fopen(path, "w"))
    fputs(String(document[..<marks[0].upperBound] + text + document[marks[1].lowerBound...]), file)
    fclose(file)
  }

  private static func read(_ path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
    return String(decoding: bytes, as: UTF8.self)
  }
}
