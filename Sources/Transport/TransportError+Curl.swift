import CCurl

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension TransportError {
  /// What libcurl's result means to us.
  init(_ code: CURLcode, _ easy: PooledEasy, _ transfer: Transfer) {
    let words = easy.message(code)
    if let proxy = transfer.proxy {
      let isRefused = easy.connectStatus == 407 || code == CURLE_PROXY && words.contains("rejected")
      if isRefused {
        self = .proxyRefused(proxy.refusal)
        return
      }
    }
    switch code {
    // What answers is no HTTP server.
    case CURLE_UNSUPPORTED_PROTOCOL where words.contains("HTTP/0.9"): self = .broken(words)
    // 7.88's word for a header line that begins with a blank and continues none.
    case CURLE_BAD_FUNCTION_ARGUMENT where transfer.received > 0: self = .broken("the server's headers cannot be read")
    case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: self = .badURL(words)
    case CURLE_OPERATION_TIMEDOUT: self = .timedOut(.connect, after: transfer.request.deadlines.connect ?? .zero)
    case CURLE_COULDNT_CONNECT where easy.osError == EMFILE || easy.osError == ENFILE: self = .noDescriptors
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT: self = .connection(words)
    case CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_PEER_FAILED_VERIFICATION,
      CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_USE_SSL_FAILED, CURLE_SSL_ENGINE_NOTFOUND,
      CURLE_SSL_SHUTDOWN_FAILED, CURLE_SSL_CRL_BADFILE, CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_SSL_INVALIDCERTSTATUS:
      self = .tls(
        "\(words) (\(easy.trust.map { "certificates are taken from \($0)" } ?? "SSL_CERT_FILE, SSL_CERT_DIR or CURL_CA_BUNDLE name other certificates"))"
      )
    default: self = .broken(words)
    }
  }
}
