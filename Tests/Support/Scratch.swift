#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A folder of a test's own, gone with it.
public final class Scratch: Sendable {
  public let path: String

  public struct Problem: Error {}

  public init() throws {
    var name = Array("/tmp/promptsh-test-XXXXXX".utf8CString)
    guard mkdtemp(&name) != nil else { throw Problem() }
    path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { Self.remove(path) }

  private static func remove(_ path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFDIR, let folder = opendir(path) else {
      unlink(path)
      return
    }
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { remove(path + "/" + name) }
    }
    closedir(folder)
    rmdir(path)
  }

  public func write(_ name: String, _ text: String) throws {
    guard let file = fopen(path + "/" + name, "w") else { throw Problem() }
    fputs(text, file)
    fclose(file)
  }

  /// What a file holds; nil where there is none.
  public func read(_ name: String) -> String? {
    guard let file = fopen(path + "/" + name, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
    return String(decoding: bytes, as: UTF8.self)
  }

  public func lines(_ name: String) -> [String] { (read(name) ?? "").split(separator: "\n").map(String.init) }
}
