/** Writes crds/ from the schemas of src/resources. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CRD_NAMES, crdFile, crdYaml } from '../src/resources/crd/crd.ts'

for (const kind of CRD_NAMES) {
  const file = join(import.meta.dirname, '../crds', crdFile(kind))
  writeFileSync(file, crdYaml(kind))
}
console.log(`wrote ${CRD_NAMES.length} definitions to crds/`)
