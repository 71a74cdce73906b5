import { fakeHome } from '../support/fake-key-port.ts'
import { storeHome } from '../support/store-home.ts'
import { keyPortContract } from './key-port.contract.ts'

keyPortContract('in memory', async () => fakeHome())
keyPortContract('the store of standalone', async () => storeHome())
