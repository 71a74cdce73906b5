/** How the API server is reached, and as whom: what a client needs to know of a pod's folder or of a kubeconfig. */

export type Tls = {
  readonly ca?: string | Buffer | undefined
  readonly cert?: string | Buffer | undefined
  readonly key?: string | Buffer | undefined
  /** The name that the certificate must have, where it is not the address's. */
  readonly servername?: string | undefined
  /** false only where a kubeconfig says so. */
  readonly rejectUnauthorized?: boolean | undefined
}

export type Credentials = {
  /** Never logged: one of them is the token. Several values of one name are sent as several headers. */
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly tls: Tls
}

export type Access = {
  /** Such as `https://10.96.0.1:443`, with a path where the server lies behind one. */
  readonly server: string
  /** The Kubernetes namespace that goes with the credentials. */
  readonly namespace: string | undefined
  /** A proxy for HTTP in between, as a URL. */
  readonly proxy: string | undefined
  /** What counts now; files are looked at again now and then. @param fresh the last ones were refused */
  readonly credentials: (fresh: boolean) => Promise<Credentials>
}
